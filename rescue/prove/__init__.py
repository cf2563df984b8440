"""A mirror is proven: booted over an overlay, seen from inside and outside, judged."""
