"""What `psycoxide.arrow` is made of: what needs other libraries, or speaks to them."""
