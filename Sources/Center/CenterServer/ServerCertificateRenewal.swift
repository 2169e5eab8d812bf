// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Logging
import SecureChannel
import ServiceLifecycle

/// Renews the server's own certificate in time, and switches to it without a restart. When that fails, the old one
/// stays in use and the next attempt comes ten minutes later: a third of its validity is left for that.
///
/// One that is not in force by the clock is replaced, too. If it was issued a moment ago, the clock was wrong then, and has been set
/// right; else it is the clock that may be wrong now, and has to be believed first (``CenterServer``'s steady clock): hosts whose clocks
/// are right take no certificate of another time.
struct ServerCertificateRenewal: Service {
    let directory: String
    let authority: AuthorityCertificate
    let issuer: any CertificateIssuing
    let certificate: ServerCertificate
    let tls: ServerTLS
    let logger: Logger
    let now: @Sendable () -> Int64
    /// Does not follow the machine's clock when that jumps.
    let steadyNow: @Sendable () -> Int64

    /// A look at a date costs nothing.
    private static let interval = Duration.seconds(15)
    /// For so long a certificate was issued a moment ago: after it the clock of that moment is believed.
    private static let recent = Duration.seconds(3600)
    /// Between two attempts that fail.
    private static let retryInterval = Duration.seconds(600)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var certificate = certificate
            var retry: ContinuousClock.Instant?
            while !Task.isCancelled {
                if retry.map({ $0 <= .now }) ?? true {
                    certificate = await renewIfDue(certificate)
                    retry = isToBeReplaced(certificate) ? .now + Self.retryInterval : nil
                }
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    func renewIfDue(_ certificate: ServerCertificate) async -> ServerCertificate {
        guard isToBeReplaced(certificate) else { return certificate }
        let nowMilliseconds = now()
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

    private func isToBeReplaced(_ certificate: ServerCertificate) -> Bool {
        guard certificate.isToBeReplaced(nowMilliseconds: now()) else { return false }
        if let issued = certificate.issued, .now - issued < Self.recent { return true }
        return certificate.isToBeReplaced(nowMilliseconds: steadyNow())
    }
}
