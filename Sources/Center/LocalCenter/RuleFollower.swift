// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import Logging
import Rendering

/// Keeps the rules of this machine's IDS as those that are in force while another center of the site does the work: that one delivers to
/// the IDS of its own machine, and what it confirmed is in force at both. It writes nothing to the store.
struct RuleFollower: Sendable {
    private let store: CenterStore
    private let installer: any RuleInstalling
    private let logger: Logger

    private static let interval = Duration.seconds(5)
    /// How often the IDS is looked at though the rules are the same.
    private static let lookInterval = Duration.seconds(60)

    /// - Returns: `nil`: there is no IDS here.
    init?(store: CenterStore, installer: (any RuleInstalling)?, logger: Logger) {
        guard let installer else { return nil }
        self.store = store
        self.installer = installer
        self.logger = logger
    }

    /// Works until the task is cancelled.
    func run() async {
        var (installed, looked, told): ([RuleAssignment]?, ContinuousClock.Instant, String?) = (nil, .now, nil)
        while !Task.isCancelled {
            do throws(EpitopeError) {
                let rules = try await store.ruleSet(isDropping: installer.isDropping).inForce
                let isDue = .now - looked >= Self.lookInterval
                if isDue { looked = .now }
                var mustInstall = rules != installed
                if !mustInstall, isDue { mustInstall = await installer.difference(from: rules) != nil }
                if mustInstall { _ = try await installer.install(rules) }
                (installed, told) = (rules, nil)
            } catch {
                // Each failure once: it is tried again every few seconds.
                if !Task.isCancelled, told != error.message {
                    told = error.message
                    logger.warning("the rules in force could not be put into this machine's Suricata: \(error)")
                }
            }
            try? await Task.sleep(for: Self.interval)
        }
    }
}
