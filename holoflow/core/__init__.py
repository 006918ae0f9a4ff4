"""What every room uses: operators, payloads, messages, errors, text."""
