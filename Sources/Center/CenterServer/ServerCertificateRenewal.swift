// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import Logging
import SecureChannel
import ServiceLifecycle

/// Follows what a person does with the center's authorities, renews the server's own certificate in time, and switches to it without a restart. When that fails, the old one
/// stays in use and the next attempt comes ten minutes later: a third of its validity is left for that.
///
/// One that is not in force by the clock is replaced, too. If it was issued a moment ago, the clock was wrong then, and has been set
/// right; else it is the clock that may be wrong now, and has to be believed first (``CenterServer``'s steady clock): hosts whose clocks
/// are right take no certificate of another time.
struct ServerCertificateRenewal: Service {
    let directory: String
    let authorities: AuthorityBook
    let issuer: any CertificateIssuing
    /// Which authorities were retired, by whichever machine of the center.
    let ledger: any EnrolmentLedger
    var health: ServiceHealth?
    let certificate: ServerCertificate
    let tls: ServerTLS
    var counters = CenterCounters()
    let logger: Logger
    let now: @Sendable () -> Int64
    /// Does not follow the machine's clock when that jumps.
    let steadyNow: @Sendable () -> Int64

    /// A look at a date, and at the authorities' file, costs nothing.
    private static let interval = Duration.seconds(3)
    /// For so long a certificate was issued a moment ago: after it the clock of that moment is believed.
    private static let recent = Duration.seconds(3600)
    private static let endWarningDays: Int64 = 365
    /// Between two attempts that fail.
    private static let retryInterval = Duration.seconds(600)
    private static let urgentInterval = Duration.seconds(5)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var certificate = certificate
            var retry: ContinuousClock.Instant?
            var news = FailureNews()
            var toldEnd: Int64?
            while !Task.isCancelled {
                tellEnd(&toldEnd)
                if let change = await look() {
                    // Another authority: what failed before is no reason to wait.
                    retry = nil
                    tell(change, &news)
                }
                if retry.map({ $0 <= .now }) ?? true {
                    certificate = await renewIfDue(certificate)
                    // One that no host takes for long can't wait: the key process may just be reading its keys.
                    let isAccepted = authorities.authorities.accepted.contains { $0.fingerprint == certificate.authority }
                    retry = isToBeReplaced(certificate) ? .now + (isAccepted ? Self.retryInterval : Self.urgentInterval) : nil
                }
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    private func look() async -> AuthorityBook.Change? {
        // Where that can't be read, what was read before counts: nor is anything else then that a request needs.
        let change = await authorities.look(in: directory, issuer: issuer, retired: try? await ledger.retiredAuthorities())
        if let elsewhere = authorities.elsewhere { health?.failed(.authority, elsewhere) } else { health?.works(.authority) }
        return change
    }

    func renewIfDue(_ certificate: ServerCertificate) async -> ServerCertificate {
        guard isToBeReplaced(certificate) else { return certificate }
        let nowMilliseconds = now()
        do {
            let next = try await certificate.renewed(
                by: issuer, of: authorities.authorities, in: directory, nowMilliseconds: nowMilliseconds)
            try tls.replace(next)
            authorities.presented = next.authority
            logger.notice("Renewed the center's certificate")
            return next
        } catch {
            logger.error("Could not renew the center's certificate", metadata: ["error": "\(error)"])
            return certificate
        }
    }

    private func isToBeReplaced(_ certificate: ServerCertificate) -> Bool {
        let known = authorities.authorities
        guard certificate.isToBeReplaced(by: known, nowMilliseconds: now()) else { return false }
        if let issued = certificate.issued, .now - issued < Self.recent { return true }
        return certificate.isToBeReplaced(by: known, nowMilliseconds: steadyNow())
    }

    /// Says once a day, from a year before, that the authority ends.
    private func tellEnd(_ told: inout Int64?) {
        let (clock, known) = (steadyNow(), authorities.authorities)
        let (ends, day) = (known.current.expiresMilliseconds, Duration.days(1).inMilliseconds)
        guard ends - clock < Self.endWarningDays * day, told.map({ !(0..<day).contains(clock - $0) }) ?? true else { return }
        told = clock
        logger.warning(
            "The center's authority ends, and every certificate with it: replace it (rotate-authority), and retire it before its end",
            metadata: ["ends": "\(ChannelClock.text(ends))", "next": "\(known.next.map { "\($0.certificate)" } ?? "none")"])
    }

    private func tell(_ change: AuthorityBook.Change, _ news: inout FailureNews) {
        counters.authorityEnds.set(authorities.authorities.current.expiresMilliseconds)
        switch change {
        case .begun(let next):
            logger.notice(
                "The next authority is announced to hosts and sites, which get certificates from it when they renew",
                metadata: ["next": "\(next.certificate)"])
        case .waitingForKey(let next):
            logger.warning(
                "There is a next authority, and the key process doesn't have its key yet: where that is a unit of its own, restart it",
                metadata: ["next": "\(next.certificate)"])
        case .retired(let former):
            logger.notice(
                "The authority was retired: its certificates count no more",
                metadata: ["retired": "\(former)", "current": "\(authorities.authorities.current)"])
        case .other:
            logger.warning(
                "The file of the authority's certificate is another one now", metadata: ["current": "\(authorities.authorities.current)"])
        case .elsewhere(let error):
            logger.error("Nobody is let in", metadata: ["error": "\(error)"])
        case .unreadable(let error):
            guard news.isNews(error, nowMilliseconds: now()) else { return }
            logger.error(
                "The file of the authority's certificate can't be read; the one that was read before counts",
                metadata: ["error": "\(error)"])
        }
    }
}
