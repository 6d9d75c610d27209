"""Asks a running server for the risks of real rows by the clients of Triton (tensors as bytes and as JSON) and of
KServe, and by /predict, and fails unless all say the same bits.

Usage: infer.py URL KEY FEATURES_CSV    (KEY "" = none)
"""
import asyncio
import csv
import json
import sys
import urllib.request

import numpy as np
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

MODEL, MOST = "churn", 300
url, key, table = sys.argv[1:]


def headers():
    """Returns the headers of a request, new ones each time: the clients write into them."""
    return {"Authorization": "Bearer " + key} if key else {}


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json", **headers()})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def read():
    """Returns columns by name, numbers as FP64 (NaN is missing) and texts, and what /predict says of each row."""
    inputs = ask("/model")["inputs"]
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // MOST)]
    columns, said = {}, []
    for x in inputs:
        values = [row[x["name"]] for row in rows]
        columns[x["name"]] = np.array(values, dtype=object) if x["categorical"] else np.array([float(v or "nan") for v in values])
    for i in range(len(rows)):
        features = {n: (c[i] if c.dtype == object else None if np.isnan(c[i]) else float(c[i])) for n, c in columns.items()}
        said.append(ask("/predict?reasons=0", {"user_id": rows[i]["user_id"], "features": features}))
    return columns, said


def same(what, risks, tiers, said):
    want = np.array([s["churn_risk"] for s in said])
    risks = np.asarray(risks, dtype=np.float64)
    tiers = [t.decode() if isinstance(t, bytes) else t for t in tiers]
    assert len(set(want)) > len(want) // 2, "the rows are too much alike to prove anything"
    assert risks.tobytes() == want.tobytes(), f"{what}: risks differ from those of /predict by up to {np.abs(risks - want).max()}"
    assert tiers == [s["risk_tier"] for s in said], f"{what}: tiers differ from those of /predict"
    print(f"{what}: {len(want)} risks, the same bits as /predict")


def by_triton(columns, said, binary):
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    assert client.is_server_live(headers()) and client.is_server_ready(headers()) and client.is_model_ready(MODEL, headers=headers())
    assert "binary_tensor_data" in client.get_server_metadata(headers())["extensions"]
    described = client.get_model_metadata(MODEL, headers=headers())
    assert {x["name"] for x in described["inputs"]} == set(columns)
    tensors = []
    for x in described["inputs"]:
        c = columns[x["name"]]
        tensors.append(triton.InferInput(x["name"], [len(c)], x["datatype"]))
        # JSON has no NaN, so numbers go as bytes in any case: a request may mix both forms.
        tensors[-1].set_data_from_numpy(c, binary_data=binary or x["datatype"] == "FP64")
    outputs = [triton.InferRequestedOutput(o["name"], binary_data=binary) for o in described["outputs"]]
    answer = client.infer(MODEL, tensors, request_id="r1", outputs=outputs, headers=headers())
    assert answer.get_response()["id"] == "r1" and answer.get_response()["model_version"] == said[0]["model_version"]
    same("tritonclient, " + ("bytes" if binary else "JSON"), answer.as_numpy("churn_risk"), answer.as_numpy("risk_tier"), said)
    try:
        client.infer("no-such-model", tensors, headers=headers())
    except triton.InferenceServerException as error:
        assert "churn" in str(error), error
    else:
        raise AssertionError("tritonclient: a model that there is not has answered")


async def by_kserve(columns, said):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) and await client.is_server_ready(url) and await client.is_model_ready(url, MODEL, headers=headers())
    inputs = []
    for name, c in columns.items():
        text = c.dtype == object
        values = list(c) if text else [None if np.isnan(v) else float(v) for v in c]
        inputs.append(InferInput(name=name, shape=[len(c)], datatype="BYTES" if text else "FP64", data=values))
    answer = await client.infer(url, InferRequest(model_name=MODEL, infer_inputs=inputs, request_id="r2"), model_name=MODEL, headers=headers())
    outputs = {o.name: o.data for o in answer.outputs}
    assert answer.id == "r2" and answer.model_name == MODEL  # the client drops the version
    same("kserve", outputs["churn_risk"], outputs["risk_tier"], said)


columns, said = read()
by_triton(columns, said, binary=True)
by_triton(columns, said, binary=False)
asyncio.run(by_kserve(columns, said))
