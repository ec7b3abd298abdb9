"""The corridor: one catalogue of spans, metrics and log fields; rooms invent no names."""
