"""What people look at: pictures and comparisons of products."""
