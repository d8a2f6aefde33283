"""What each payment gateway may rely on."""
