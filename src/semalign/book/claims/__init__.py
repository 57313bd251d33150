"""The ledger of the paper's claims: what is claimed, our test, and the verdict that follows from the records."""
