"""Images: frames with their stamps, decoding, and the size that the network sees."""
