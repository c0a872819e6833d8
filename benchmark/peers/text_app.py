"""A FastAPI application that serves one of the models of text_models, for uvicorn."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
from fastapi import FastAPI, Request, Response

from .text_predictors import load_text_predictor

predictor = load_text_predictor(Path(os.environ["PEER_MODEL"]))
app = FastAPI()


@app.get("/predict/intents")
async def predict(sentence: str) -> Response:
    """Return the prediction of the model."""
    [answer] = predictor.answers([sentence])
    return Response(orjson.dumps(answer), media_type="application/json")


@app.post("/predict/intents")
async def predict_all(request: Request) -> Response:
    """Return the predictions for an array of inputs."""
    inputs = orjson.loads(await request.body())
    answers = predictor.answers([item["sentence"] for item in inputs])
    return Response(orjson.dumps(answers), media_type="application/json")
