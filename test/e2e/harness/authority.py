"""A certificate authority for tests, and a certificate of it for one host name."""

import pathlib
import subprocess


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-keyout", str(folder / "ca.key"), "-out", str(self.ca_file), "-subj", "/CN=Test authority",
                "-addext", "keyUsage=critical,keyCertSign", "-addext", "basicConstraints=critical,CA:TRUE")

    def settings_for(self, host_name: str) -> dict[str, str]:
        """Makes a certificate and returns the settings that let a server use it."""
        key, certificate = self.folder / f"{host_name}.key", self.folder / f"{host_name}.pem"
        request, extensions = self.folder / f"{host_name}.csr", self.folder / f"{host_name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{host_name}\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key),
                "-out", str(request), "-subj", f"/CN={host_name}")
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.ca_file), "-CAkey", str(self.folder / "ca.key"),
                "-CAcreateserial", "-days", "30", "-out", str(certificate), "-extfile", str(extensions))
        return {
            "SAFAWINET__TLS__CERTIFICATE_FILE": str(certificate),
            "SAFAWINET__TLS__PRIVATE_KEY_FILE": str(key),
        }
