// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What is done at a center beside its store, and written down in it.
extension CenterStore {
    /// Records that a center was started.
    ///
    /// - Parameter settings: those that differ from the defaults, each as `NAME from DEFAULT to VALUE`.
    public func recordStart(version: String, settings: [String]) async throws(EpitopeError) {
        let changed = settings.isEmpty ? "the settings are the defaults" : "settings that are not the defaults: " + Self.list(settings)
        try await transaction { try $0.record(.started, "center", "version \(version); \(changed)") }
    }

    /// Records which settings of a center that runs change.
    ///
    /// - Parameter changes: each as `NAME from VALUE to VALUE`.
    public func recordSettings(_ changes: [String]) async throws(EpitopeError) {
        try await transaction { try $0.record(.reconfigured, "settings", Self.list(changes)) }
    }

    /// Records that this center has an identity at another one from now on, or no longer.
    ///
    /// - Parameter step: ``CenterEvent/Step/linked`` or ``CenterEvent/Step/unlinked``.
    public func recordLink(_ step: CenterEvent.Step, _ name: String, _ detail: String) async throws(EpitopeError) {
        try await transaction { try $0.record(step, name, detail) }
    }

    /// Characters that an entry holds of a list.
    private static let maxListLength = 4000

    private static func list(_ items: [String]) -> String {
        let text = items.joined(separator: "; ")
        return text.count <= maxListLength ? text : "\(text.prefix(maxListLength))... (\(items.count) in all)"
    }
}
