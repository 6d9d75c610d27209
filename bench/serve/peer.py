"""A service of the kind that the course builds: each request becomes a data frame of one row that goes through a
pipeline of scikit-learn, behind FastAPI and uvicorn with their defaults, with its metrics (but no access log)."""
import json, socket, sys, time

import numpy as np, pandas as pd, uvicorn
from fastapi import FastAPI, Request
from prometheus_client import Counter, Histogram
from pydantic import BaseModel
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

kind, table, numeric, categorical = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4].split(",")
pipeline = make_pipeline(ColumnTransformer([
    ("numeric", make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()), numeric),
    ("categorical", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)), categorical)]),
    LogisticRegression(max_iter=200) if kind == "logistic" else HistGradientBoostingClassifier())
data = pd.read_csv(table)
pipeline.fit(data[numeric + categorical], data["churn_label"])
app, seen = FastAPI(), Counter("churn_api_requests_total", "", ["path", "status"])
took = Histogram("churn_api_request_latency_seconds", "", ["path"])
class Body(BaseModel):
    user_id: str | int
    snapshot_date: str | None = None
    features: dict[str, float | str | None]
@app.middleware("http")
async def count(request: Request, call_next):
    start, answer = time.perf_counter(), await call_next(request)
    seen.labels(request.url.path, answer.status_code).inc(), took.labels(request.url.path).observe(time.perf_counter() - start)
    return answer
@app.post("/predict")
def predict(body: Body):
    frame = pd.DataFrame([body.features])[numeric + categorical].replace({None: np.nan})
    return {"user_id": body.user_id, "churn_risk": float(pipeline.predict_proba(frame)[0, 1]), "model_version": kind}
listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"url": "http://127.0.0.1:%d" % listener.getsockname()[1]}), flush=True)
uvicorn.Server(uvicorn.Config(app, access_log=False)).run(sockets=[listener])
