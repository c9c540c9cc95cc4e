"""Human in the loop: what agents ask of people, and how people answer."""
