"""What waits, on asyncio: `psycoxide.aio`, and Starlette on uvicorn."""
