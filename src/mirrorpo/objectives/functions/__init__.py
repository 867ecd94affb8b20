"""The scalar functions that losses are made of: psi, phi and g, closed and learned."""
