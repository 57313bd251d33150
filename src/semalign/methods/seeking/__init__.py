"""Seeking (Zhong et al., ICLR 2024): blocks of the teacher's weights initialise a LoRA."""
