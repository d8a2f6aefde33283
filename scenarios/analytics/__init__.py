"""What the customer is shown: counted right, and fresh."""
