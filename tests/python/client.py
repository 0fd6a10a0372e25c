"""A real client against the sandbox: python-pachyderm 6.3.3 lists, inspects, extracts, fails, stops and starts.

Usage: client.py HOST PORT RUNNING-PORT RECORDED-JSON: the port of the stopped cluster, that of the same cluster with its
pipelines running, and the decoded extract `extract/alpha-no-objects.json` beside the other recorded data.
Prints what it saw; exits 1 at the first difference from what was recorded.
"""

import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import time

import grpc
import python_pachyderm
from google.protobuf.json_format import MessageToDict

# What may differ from a recorded answer, and why: call, name of the repo or pipeline, field.
MAY_DIFFER = {
    ("ListRepo", "images", "branches"): "the branch `master,raw@master` was deleted before the extract",
    ("ListRepo", "derived", "branches"): "made before the extract, after the listings were recorded",
    ("ListRepo", "derived", "size_bytes"): "made before the extract, after the listings were recorded",
    ("InspectPipeline", "svc", "service"): "its address is Kubernetes', which is not asked here",
}


def check(what, seen, wanted):
    if seen != wanted:
        sys.exit(f"{what}: {seen!r}, recorded is {wanted!r}")
    print(f"ok  {what}")


class Recorded:
    """The recorded calls."""

    def __init__(self, archive):
        unpacked = subprocess.run(["zstd", "-dc", archive], check=True, capture_output=True).stdout
        self.archive = tarfile.open(fileobj=io.BytesIO(unpacked))

    def call(self, name):
        return json.load(self.archive.extractfile(f"grpc/{name}.json"))

    def answer(self, name):
        (answer,) = self.call(name)["response"]
        return answer


def dictionary(message):
    return MessageToDict(message, preserving_proto_field_name=True)


def comparable(call, name, answer):
    return {field: value for field, value in answer.items() if (call, name, field) not in MAY_DIFFER}


def check_failure(recorded, name, call):
    """A call fails with the recorded code and details."""
    wanted = recorded.call(name)
    try:
        call()
    except grpc.RpcError as error:
        check(f"{name} fails", (error.code().name, error.details()), (wanted["status"], wanted["message"]))
    else:
        sys.exit(f"{name} did not fail, recorded is {wanted['status']}: {wanted['message']}")


# A cron pipeline's input and output repo are made in one transaction: which of them is listed first is chance.
MADE_TOGETHER = {"tick": "tick and tick_t", "tick_t": "tick and tick_t"}


def repo_order(repos):
    names = [info["repo"]["name"] for info in repos]
    return [MADE_TOGETHER.get(name, name) for name in names]


def check_repos(client, recorded):
    seen = [dictionary(info) for info in client.list_repo()]
    wanted = recorded.answer("pfs.API.ListRepo/all-paused")["repo_info"]
    check("repos in their order, the last made first", repo_order(seen), repo_order(wanted))
    seen = {info["repo"]["name"]: info for info in seen}
    for other in wanted:
        name = other["repo"]["name"]
        check(f"repo {name}", comparable("ListRepo", name, seen[name]), comparable("ListRepo", name, other))


def check_pipelines(client, recorded):
    listed = {info.pipeline.name: dictionary(info) for info in client.list_pipeline().pipeline_info}
    wanted = {it["pipeline"]["name"]: it for it in recorded.answer("pps.API.ListPipeline/current-paused")["pipeline_info"]}
    check("names of pipelines", sorted(listed), sorted(wanted))
    for name, pipeline in wanted.items():
        pipeline = comparable("InspectPipeline", name, pipeline)
        check(f"pipeline {name}", comparable("InspectPipeline", name, listed[name]), pipeline)
    for name in ["Stand_By", "copy", "fails", "halted", "svc", "tick", "with-egress"]:
        seen = comparable("InspectPipeline", name, dictionary(client.inspect_pipeline(name)))
        pipeline = comparable("InspectPipeline", name, recorded.answer(f"pps.API.InspectPipeline/{name}-paused"))
        check(f"inspected pipeline {name}", seen, pipeline)


def check_jobs(client, recorded):
    current = [dictionary(info) for info in client.list_job()]
    check("jobs of the stopped specifications", current, recorded.call("pps.API.ListJobStream/current-paused")["response"])
    every = [dictionary(info) for info in client.list_job(history=-1, full=True)]
    wanted = recorded.call("pps.API.ListJobStream/history-all-full-paused")["response"]
    check("ids of jobs in their order", [it["job"]["id"] for it in every], [it["job"]["id"] for it in wanted])
    for one, other in zip(every, wanted):
        check(f"job {one['job']['id']}", one, other)


# A branch that the listings still have, and a repo that they do not have yet: both changed before the extract.
DELETED_BRANCH, LATER_REPO = "master,raw@master", "derived"


def without_later_branches(branch):
    """A branch without the branches that were made to depend on it after the listings were recorded."""
    subvenance = [it for it in branch.get("subvenance", []) if it["repo"]["name"] != LATER_REPO]
    rest = {field: value for field, value in branch.items() if field != "subvenance"}
    return {**rest, "subvenance": subvenance} if subvenance else rest


def without_later_commits(commit):
    """A commit without the commits that were made from it after the listings were recorded, and without their number."""
    all_ranges = commit.get("subvenance", [])
    ranges = [it for it in all_ranges if it["upper"]["repo"]["name"] != LATER_REPO]
    total = int(commit.get("subvenant_commits_total", 0)) - (len(all_ranges) - len(ranges))
    rest = {it: value for it, value in commit.items() if it not in ("subvenance", "subvenant_commits_total")}
    return {**rest, "subvenance": ranges, "subvenant_commits_total": total}


def check_branches(client, recorded):
    for case in ["one-repo", "output-repo"]:
        call = recorded.call(f"pfs.API.ListBranch/{case}")
        (request,), (answer,) = call["request"], call["response"]
        repo = request["repo"]["name"]
        wanted = {it["name"]: without_later_branches(it) for it in answer["branch_info"] if it["name"] != DELETED_BRANCH}
        seen = {it.name: without_later_branches(dictionary(it)) for it in client.list_branch(repo)}
        check(f"names of the branches of {repo}", sorted(seen), sorted(wanted))
        for name, branch in wanted.items():
            check(f"branch {repo}@{name}", seen[name], branch)
    for case in ["input", "output"]:
        call = recorded.call(f"pfs.API.InspectBranch/{case}")
        (request,), (answer,) = call["request"], call["response"]
        repo, name = request["branch"]["repo"]["name"], request["branch"]["name"]
        seen = without_later_branches(dictionary(client.inspect_branch(repo, name)))
        check(f"inspected branch {repo}@{name}", seen, without_later_branches(answer))


def check_commits(client, recorded):
    call = recorded.call("pfs.API.ListCommitStream/one-repo")
    (request,) = call["request"]
    repo = request["repo"]["name"]
    seen = [without_later_commits(dictionary(it)) for it in client.list_commit(repo)]
    wanted = [without_later_commits(it) for it in call["response"]]
    check(f"commits of {repo} in their order", [it["commit"]["id"] for it in seen], [it["commit"]["id"] for it in wanted])
    for one, other in zip(seen, wanted):
        check(f"commit {repo}@{one['commit']['id']}", one, other)
    for case in ["head", "open"]:
        call = recorded.call(f"pfs.API.InspectCommit/{case}")
        (request,), (answer,) = call["request"], call["response"]
        commit = (request["commit"]["repo"]["name"], request["commit"]["id"])
        seen = without_later_commits(dictionary(client.inspect_commit(commit)))
        check(f"inspected commit {commit[0]}@{commit[1]}", seen, without_later_commits(answer))
    listed = recorded.call("pfs.API.ListCommitStream/all-repos-paused")["response"]
    for wanted in listed:
        commit = (wanted["commit"]["repo"]["name"], wanted["commit"]["id"])
        seen = without_later_commits(dictionary(client.inspect_commit(commit)))
        check(f"inspected commit {commit[0]}@{commit[1]}", seen, without_later_commits(wanted))


def check_failures(client, recorded):
    missing = "0" * 32
    check_failure(recorded, "auth.API.WhoAmI/not-activated", client.who_am_i)
    check_failure(recorded, "pps.API.InspectPipeline/missing", lambda: client.inspect_pipeline("nope"))
    check_failure(recorded, "pps.API.StartPipeline/missing", lambda: client.start_pipeline("nope"))
    check_failure(recorded, "pps.API.StopPipeline/missing", lambda: client.stop_pipeline("nope"))
    check_failure(recorded, "pps.API.InspectJob/missing", lambda: client.inspect_job(missing))
    check_failure(recorded, "pfs.API.InspectRepo/missing", lambda: client.inspect_repo("nope"))
    check_failure(recorded, "pfs.API.InspectBranch/missing", lambda: client.inspect_branch("images", "nope"))
    check_failure(recorded, "pfs.API.InspectCommit/missing", lambda: client.inspect_commit(("images", missing)))
    check_failure(recorded, "admin.API.ExtractPipeline/missing", lambda: client.extract_pipeline("nope"))


def check_extract(client, recorded):
    """Every op has the recorded bytes; commits that are open get the time of the extract, which the sandbox replays."""
    seen = {}
    for op in client.extract(no_objects=True):
        frame = op.SerializeToString(deterministic=True)
        seen[hashlib.sha256(frame).hexdigest()] = (len(frame), dictionary(op))
    wanted = {op["frame_sha256"]: (op["frame_bytes"], op["op"]) for op in recorded["stream"]}
    check("ops of an extract", len(seen), recorded["ops"])
    for digest, op in wanted.items():
        if seen.get(digest) != op:
            sys.exit(f"an op is not in the extract as recorded: {op!r}, there is {seen.get(digest)!r}")
    check("ops of an extract, each by its bytes", sorted(seen), sorted(wanted))


def wait_for(client, pipeline, state):
    for _ in range(1200):
        if client.inspect_pipeline(pipeline).state == state:
            return
        time.sleep(0.05)
    sys.exit(f"pipeline {pipeline} did not reach state {state}")


def check_stop_and_start(client):
    PAUSED, RUNNING = 4, 1
    client.start_pipeline("copy")
    wait_for(client, "copy", RUNNING)
    info = client.inspect_pipeline("copy")
    check("started", (info.stopped, info.state), (False, RUNNING))
    client.stop_pipeline("copy")
    wait_for(client, "copy", PAUSED)
    info = client.inspect_pipeline("copy")
    check("stopped", (info.stopped, info.state), (True, PAUSED))
    provenance = client.inspect_branch("copy", "master").direct_provenance
    check("a stopped pipeline's branch has no provenance", len(provenance), 0)


def main():
    host, port, running_port, stream = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
    recorded = Recorded(stream.parent.parent / "grpc.tar.zst")
    client = python_pachyderm.Client(host=host, port=port)
    check("version", dictionary(client.get_remote_version()), recorded.answer("versionpb.API.GetVersion/ok"))
    check("cluster id", dictionary(client.inspect_cluster())["id"], recorded.answer("admin.API.InspectCluster/ok")["id"])
    check_repos(client, recorded)
    check_pipelines(client, recorded)
    check_jobs(client, recorded)
    # Branches were listed while pipelines ran.
    check_branches(python_pachyderm.Client(host=host, port=running_port), recorded)
    check_commits(client, recorded)
    check_failures(client, recorded)
    check_extract(client, json.loads(stream.read_text()))
    check_stop_and_start(client)


main()
