# SPDX-License-Identifier: ISC
"""The server of datagrams that the tests with real programs ask: real_echo.py PORT

It sends back what it was sent, and behind it who sent it.
"""
import selectors
import socket
import sys

selector = selectors.DefaultSelector()
for family in socket.AF_INET, socket.AF_INET6:
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("", int(sys.argv[1])))
    selector.register(s, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        data, source = key.fileobj.recvfrom(65536)
        key.fileobj.sendto(data + b" from " + source[0].encode(), source)
