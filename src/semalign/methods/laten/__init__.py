"""LaTen, Locate-Then-Align (Tan et al., ACL 2025): a hypernetwork turns teacher neurons into changes of a student."""
