"""The proof of a mirror: booted over an overlay, seen from inside and outside, judged."""
