"""The document with which the tests of `tare oci` in Python begin."""
import json, subprocess

def base(tare, folder):
    """What `spec` writes into the folder, without a terminal, and with a namespace for control groups instead of their mount."""
    subprocess.run([tare, "oci", "spec", "-b", folder], check=True)
    config = json.load(open(folder + "/config.json"))
    config["process"]["terminal"] = False
    if not any(n["type"] == "cgroup" for n in config["linux"]["namespaces"]): config["linux"]["namespaces"].append({"type": "cgroup"})
    config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
    return config
