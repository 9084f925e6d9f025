"""Has parliament read the policies that stand on stdin as JSON by name; writes
its findings as JSON. (Its own command line wants a terminal.)"""
import json
import sys

from parliament import analyze_policy_string

found = []
for name, policy in json.load(sys.stdin).items():
    analyzed = analyze_policy_string(json.dumps(policy), ignore_private_auditors=True)
    for f in analyzed.findings:
        detail = f.detail if isinstance(f.detail, str) else json.dumps(f.detail, sort_keys=True)
        found.append({"policy": name, "issue": f.issue, "detail": detail})
json.dump(found, sys.stdout)
