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

    def files_for(self, host_name: str, *more_names: str) -> tuple[str, str]:
        """Makes a certificate of these hosts, and gives its file and that of its key."""
        names = ",".join(f"DNS:{name}" for name in (host_name, *more_names))
        key, certificate = self.folder / f"{host_name}.key", self.folder / f"{host_name}.pem"
        request, extensions = self.folder / f"{host_name}.csr", self.folder / f"{host_name}.ext"
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key),
                "-out", str(request), "-subj", f"/CN={host_name}")
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.ca_file), "-CAkey", str(self.folder / "ca.key"),
                "-CAcreateserial", "-days", "30", "-out", str(certificate), "-extfile", str(extensions))
        return str(certificate), str(key)

    def settings_for(self, host_name: str) -> dict[str, str]:
        """The settings that let a server use a certificate of this host."""
        certificate, key = self.files_for(host_name)
        return {"SAFAWINET__TLS__CERTIFICATE_FILE": certificate, "SAFAWINET__TLS__PRIVATE_KEY_FILE": key}
