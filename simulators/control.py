"""How all fakes' control routes refuse: `{"error": {"code", "message"}}`, and no value is quoted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Handler = Callable[[Request, Exception], Awaitable[Response]]


def refusal(status: int, code: str, message: str) -> JSONResponse:
    """A refusal in the words of docs/contracts.md."""
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


def complaint(error: ValidationError) -> str:
    """Which fields are wrong and why, without their values: one of them may be a secret, or a person's."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found)


def handlers(page: str, *unreasonable: type[Exception]) -> dict[int | type[Exception], Handler]:
    """Exception handlers for Starlette: 400 for bad input and for the named exceptions, 404 that names the page."""

    async def invalid(_request: Request, error: Exception) -> Response:
        return refusal(400, "bad_request", complaint(error) if isinstance(error, ValidationError) else "")

    async def told(_request: Request, error: Exception) -> Response:
        return refusal(400, "bad_request", str(error))

    async def unknown(_request: Request, _error: Exception) -> Response:
        return refusal(404, "unknown_route", f"No such control route; {page} lists them.")

    return {ValidationError: invalid, **dict.fromkeys(unreasonable, told), 404: unknown, 405: unknown}
