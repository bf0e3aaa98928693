/** Certificates of private authorities. OpenSSL ignores a file without any, and each connection would fail later, without this reason. */
import { X509Certificate } from 'node:crypto'

/** The labels that OpenSSL reads as a certificate. */
const PEM = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/gs

/** The constructor's TypeError for `ca`; the command line names its own remedy for it. */
class InvalidCertificatesError extends TypeError {
  readonly code = 'ca_invalid'
}

/** @throws TypeError with the code `ca_invalid` unless all certificates in the text can be read, and there is one. */
export function assertCertificates(ca: string | Buffer): void {
  const certificates = String(ca).match(PEM) ?? []
  if (certificates.length === 0) throw new InvalidCertificatesError('it holds no certificate in PEM form')
  for (const [at, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate)
    } catch (error) {
      throw new InvalidCertificatesError(`certificate ${at + 1} cannot be read`, { cause: error })
    }
  }
}
