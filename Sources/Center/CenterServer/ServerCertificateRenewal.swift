// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Logging
import SecureChannel
import ServiceLifecycle

/// Renews the server's own certificate in time, and switches to it without a restart. When that fails, the old one
/// stays in use and the next attempt comes ten minutes later: a third of its validity is left for that.
///
/// One that is not in force by the clock is replaced, too: the clock was wrong when it was issued, as that of a machine is that
/// starts in 1970, and no host takes it now that the clock is right.
struct ServerCertificateRenewal: Service {
    let directory: String
    let authority: AuthorityCertificate
    let issuer: any CertificateIssuing
    let certificate: ServerCertificate
    let tls: ServerTLS
    let logger: Logger
    let now: @Sendable () -> Int64

    /// A look at a date costs nothing.
    private static let interval = Duration.seconds(15)
    /// Between two attempts that fail.
    private static let retryInterval = Duration.seconds(600)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var certificate = certificate
            var retry: ContinuousClock.Instant?
            while !Task.isCancelled {
                if retry.map({ $0 <= .now }) ?? true {
                    certificate = await renewIfDue(certificate)
                    retry = certificate.isToBeReplaced(nowMilliseconds: now()) ? .now + Self.retryInterval : nil
                }
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    func renewIfDue(_ certificate: ServerCertificate) async -> ServerCertificate {
        let nowMilliseconds = now()
        guard certificate.isToBeReplaced(nowMilliseconds: nowMilliseconds) else { return certificate }
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
