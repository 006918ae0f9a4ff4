"""What every other package uses: operators, payloads, messages, errors, text."""
