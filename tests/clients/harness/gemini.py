"""Google's generateContent: what Gemini CLI speaks."""

import json
from collections.abc import Iterator

from .speech import Event, Json

# Which model to take, who speaks next: the client asks for it in JSON and takes the fields that it knows.
ASIDE = {"reasoning": "scripted", "model_choice": "flash", "next_speaker": "user", "complexity_score": 1}


class Gemini:
    """POST v1beta/models/MODEL:generateContent and :streamGenerateContent."""

    name = "gemini"

    def kind_of(self, body: Json) -> str:
        return "main" if any("functionDeclarations" in one for one in body.get("tools") or ()) else "side"

    def aside(self) -> str:
        return json.dumps(ASIDE)

    def is_streamed(self, path: str, body: Json) -> bool:
        return path.endswith(":streamGenerateContent")

    def whole(self, step: Json, body: Json) -> Json:
        text: list[Json] = [{"text": step["text"]}] if step.get("text") else []
        calls = [{"functionCall": {"name": one["tool"], "args": one["input"]}} for one in step.get("calls", ())]
        tokens = step.get("tokens", 100)
        content = {"role": "model", "parts": text + calls}
        return {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {
                "promptTokenCount": tokens,
                "candidatesTokenCount": 5,
                "totalTokenCount": tokens + 5,
            },
            "modelVersion": "scripted",
        }

    def stream(self, whole: Json) -> Iterator[Event]:
        yield Event(data=whole, pause=True)

    def error(self, status: int) -> Json:
        return {"error": {"code": status, "message": "scripted error", "status": "UNAVAILABLE"}}
