# SPDX-License-Identifier: Apache-2.0
"""What servers, stores and hubs say of the bytes that they send: each form of header, made for any bytes."""
import base64
import hashlib
import zlib

CASTAGNOLI = 0x82F63B78


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (CASTAGNOLI if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return (crc ^ 0xFFFFFFFF).to_bytes(4, "big")


def crc32(data):
    return zlib.crc32(data).to_bytes(4, "big")


def crc64(polynomial, data):
    """Bit by bit, over the reflected polynomial."""
    crc = 2**64 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    return crc ^ (2**64 - 1)


def crc64nvme(data):
    return crc64(0x9A6C9329AC4BC9B5, data).to_bytes(8, "big")


def crc64xz(data):
    return crc64(0xC96C5795D7870F42, data)


# The check values of the catalogue of CRCs.
assert crc64nvme(b"123456789").hex() == "ae8b14860a799888" and f"{crc64xz(b'123456789'):x}" == "995dc9bbdf1939fa"


def base64_of(algorithm):
    make = algorithm if callable(algorithm) else lambda data: hashlib.new(algorithm, data).digest()
    return lambda data: base64.b64encode(make(data)).decode()


def hex_of(algorithm):
    return lambda data: hashlib.new(algorithm, data).hexdigest()


def written(header, text, value):
    return lambda data: {header: text.replace("@", value(data))}


SHA256, SHA512, SHA1, MD5 = (base64_of(name) for name in ("sha256", "sha512", "sha1", "md5"))

# Each of them makes the headers for some bytes.
OF_THE_WHOLE = {
    "Digest SHA-256": written("Digest", "SHA-256=@", SHA256),
    "Digest, lower case": written("digest", "sha-256=@", SHA256),
    "Digest SHA-512": written("Digest", "SHA-512=@", SHA512),
    "Digest SHA": written("Digest", "SHA=@", SHA1),
    "Digest MD5": written("Digest", "MD5=@", MD5),
    "Digest, the second": written("Digest", "UNIXsum=30637, SHA-256=@", SHA256),
    "Repr-Digest": written("Repr-Digest", "sha-256=:@:", SHA256),
    "Repr-Digest SHA-512": written("Repr-Digest", "sha-512=:@:", SHA512),
    "Repr-Digest, others": written("Repr-Digest", "id-x=:AAAA:, sha-256=:@:;q=1", SHA256),
    "ETag of a Larder": written("ETag", '"sha256:@"', hex_of("sha256")),
    "ETag of Nexus": written("ETag", '"{SHA1{@}}"', hex_of("sha1")),
    "x-goog-hash md5": written("x-goog-hash", "md5=@", MD5),
    "x-goog-hash crc32c": written("x-goog-hash", "crc32c=@", base64_of(crc32c)),
    "x-goog-hash, both": lambda data: {"x-goog-hash": f"crc32c={base64_of(crc32c)(data)},md5={MD5(data)}"},
    "x-goog length": written("x-goog-stored-content-length", "@", lambda data: str(len(data))),
    "x-amz sha256": written("x-amz-checksum-sha256", "@", SHA256),
    "x-amz sha1": written("x-amz-checksum-sha1", "@", SHA1),
    "x-amz crc32c": written("x-amz-checksum-crc32c", "@", base64_of(crc32c)),
    "x-amz crc32": written("x-amz-checksum-crc32", "@", base64_of(crc32)),
    "x-amz sha512": written("x-amz-checksum-sha512", "@", SHA512),
    "x-amz md5": written("x-amz-checksum-md5", "@", MD5),
    "x-amz crc64nvme": written("x-amz-checksum-crc64nvme", "@", base64_of(crc64nvme)),
    "Alibaba": written("x-oss-hash-crc64ecma", "@", lambda data: str(crc64xz(data))),
    "Backblaze": written("X-Bz-Content-Sha1", "@", hex_of("sha1")),
    "Backblaze, unverified": written("X-Bz-Content-Sha1", "unverified:@", hex_of("sha1")),
    "ownCloud sha1": written("OC-Checksum", "SHA1:@", hex_of("sha1")),
    "ownCloud, several": lambda data: {"OC-Checksum": f"ADLER32:0a0b0c0d MD5:{hex_of('md5')(data)} SHA256:{hex_of('sha256')(data)}"},
    "Digest SHA-384": written("Repr-Digest", "sha-384=:@:", base64_of("sha384")),
    "Digest, hex": written("Digest", "sha-256=@", hex_of("sha256")),
    "Digest MD5, hex": written("Digest", "md5=@", hex_of("md5")),
    "Azure": written("x-ms-blob-content-md5", "@", MD5),
    "Artifactory sha256": written("X-Checksum-Sha256", "@", hex_of("sha256")),
    "Artifactory sha256, capitals": written("X-Checksum-SHA256", "@", lambda data: hex_of("sha256")(data).upper()),
    "Artifactory sha1": written("X-Checksum-Sha1", "@", hex_of("sha1")),
    "Artifactory md5": written("X-Checksum-Md5", "@", hex_of("md5")),
    "Docker": written("Docker-Content-Digest", "sha256:@", hex_of("sha256")),
}
OF_THE_BODY = {
    "Content-Digest": written("Content-Digest", "sha-256=:@:", SHA256),
    "Content-MD5": written("Content-MD5", "@", MD5),
    "Content-MD5, hex": written("Content-MD5", "@", hex_of("md5")),
    "Azure crc64": written("x-ms-content-crc64", "@", lambda data: base64.b64encode(crc64nvme(data)[::-1]).decode()),
}
# What a hub says where it redirects to the bytes.
AT_THE_REDIRECT = {
    "Repr-Digest": OF_THE_WHOLE["Repr-Digest"],
    "Artifactory sha256": OF_THE_WHOLE["Artifactory sha256"],
    "Hugging Face": written("X-Linked-Etag", '"@"', hex_of("sha256")),
    "Hugging Face, unquoted": written("X-Linked-Etag", "@", hex_of("sha256")),
    "Hugging Face length": written("X-Linked-Size", "@", lambda data: str(len(data))),
}
# Of other bytes, and no claim that can be held against any.
NO_CLAIMS = {
    "unknown algorithm": {"Digest": "adler32=03da0195", "Repr-Digest": "sha-3=:AAAA:"},
    "malformed base64": {"Repr-Digest": "sha-256=:not base64:", "Content-MD5": "???"},
    "too short": {"X-Checksum-Sha256": "abcdef", "x-goog-hash": "md5=AAAA"},
    "composite": {"x-amz-checksum-sha256": SHA256(b"parts") + "-7", "x-amz-checksum-type": "COMPOSITE"},
    "an S3 ETag": {"ETag": f'"{hashlib.md5(b"x").hexdigest()}"'},
    "an S3 ETag of parts": {"ETag": f'"{hashlib.md5(b"x").hexdigest()}-3"'},
    "a weak ETag": {"ETag": f'W/"sha256:{hashlib.sha256(b"x").hexdigest()}"'},
    "stored in a coding": {"x-goog-stored-content-encoding": "gzip", "x-goog-stored-content-length": "7",
                           "x-goog-hash": "md5=" + MD5(b"x")},
    "of a part": {"X-Bz-Content-Sha1": "none", "x-oss-hash-crc64ecma": "99999999999999999999999", "OC-Checksum": "ADLER32:1 MD5"},
    "Git's digest": {"X-Linked-Etag": hashlib.sha1(b"x").hexdigest()},
    "no number": {"x-ms-content-crc64": "12", "x-amz-checksum-crc64nvme": "AAAA","x-goog-stored-content-length": "many", "X-Linked-Size": "-1"},
}
