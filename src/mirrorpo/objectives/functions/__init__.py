"""Scalar functions that losses are made of: psi, inverse potential and link, closed and learned."""
