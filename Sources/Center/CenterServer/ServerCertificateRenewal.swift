// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Logging
import SecureChannel
import ServiceLifecycle

/// Renews the server's own certificate in time, and switches to it without a restart. When that fails, the old one
/// stays in use and the next attempt comes an hour later: a third of its validity is left for that.
struct ServerCertificateRenewal: Service {
    let directory: String
    let authority: AuthorityCertificate
    let issuer: any CertificateIssuing
    let certificate: ServerCertificate
    let tls: ServerTLS
    let logger: Logger
    let now: @Sendable () -> Int64

    private static let interval = Duration.seconds(3600)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var certificate = certificate
            while !Task.isCancelled {
                certificate = await renewIfDue(certificate)
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    func renewIfDue(_ certificate: ServerCertificate) async -> ServerCertificate {
        let nowMilliseconds = now()
        guard certificate.isDueForRenewal(nowMilliseconds: nowMilliseconds) else { return certificate }
        do {
            let next = try await certificate.renewed(by: issuer, of: authority, in: directory, nowMilliseconds: nowMilliseconds)
            try tls.replace(next)
            logger.notice("Renewed the center's certificate")
            return next
        } catch {
            logger.error("Could not renew the center's certificate", metadata: ["error": "\(error)"])
            return certificate
        }
    }
}
