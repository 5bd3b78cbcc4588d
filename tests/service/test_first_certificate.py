import ssl
from collections.abc import Callable
from cryptography import x509
from lancert.protocol.certificate import check_chain, public_bytes, read_chain
from lancert.protocol.names import certificate_names

def test_one(service):
    c = service.customer()
    box = service.box()
    r = box.enrol(c); assert r.status_code == 200, r.text
    a = r.json()
    r = box.ask(); assert r.status_code == 200, r.text
    r2 = box.ask(); assert r2.json() == r.json()
    d = r.json(); print({k: v for k, v in d.items() if k != "chain"})
    root = x509.load_pem_x509_certificate((service.folder/service.ready.root_file).read_bytes())
    check_chain(read_chain(d["chain"].encode()), names=certificate_names(a["label"], a["zone"]), public_key=public_bytes(box.key.public_key()), roots=[root], now=service.clock.now())
    r = box.report("192.168.1.5", "8.8.8.8"); assert r.status_code == 200, r.text
    print(r.json())
