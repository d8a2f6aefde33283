"""Nobody's e-mail, phone or name leaves memory."""
