"""The proof of a mirror: booted over an overlay, observed from inside and outside, judged."""
