"""A FastAPI application, for uvicorn."""

from __future__ import annotations

import os
from typing import Any

import joblib
from fastapi import FastAPI

from .peer_model import answer

model = joblib.load(os.environ["PEER_MODEL"])
app = FastAPI()


@app.get("/predict/intents")
async def predict(sentence: str) -> dict[str, Any]:
    """Return the prediction of the model."""
    return answer(model, sentence)
