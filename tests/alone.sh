# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# Whatever goes astray must not reach a real network: the test that reads this runs where there is only loopback.
# alone: the namespaces it wants, as unshare names them (n unless set: the network's; nm: mounts of its own as well).

if [ -z "${ALONE:-}" ]; then
    for how in "-${alone:=n}" "-r$alone"; do
        unshare "$how" ip link set lo up 2>/dev/null || continue
        ALONE=1
        export ALONE
        # shellcheck disable=SC2016,SC2093
        exec unshare "$how" sh -c 'ip link set lo up && exec sh "$0" "$@"' "$0" "$@"
    done
    echo "no namespace can be made here" >&2
    exit 77
fi
