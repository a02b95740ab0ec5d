"""Finding PostgreSQL's programs and running a throwaway cluster with them."""
