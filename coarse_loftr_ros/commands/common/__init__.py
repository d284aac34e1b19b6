"""What several commands share: options, errors as sentences, recordings, images."""
