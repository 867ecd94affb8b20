"""The page: one HTML file that shows runs and lets their objectives be explored."""
