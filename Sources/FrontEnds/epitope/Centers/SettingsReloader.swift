// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import CenterServer
import CenterStore
import EpitopeModel
import Logging
import SettingsFiles
import SettingsYAML
import UnixSignals

/// Reads a center's settings again on SIGHUP, and takes over those that need no restart. Settings that can't be used change nothing.
struct SettingsReloader<Settings: SettingsGroup & Sendable>: Sendable {
    let source: SettingsSource
    /// The settings in force.
    let current: @Sendable () -> Settings
    let health: ServiceHealth?
    let logger: Logger
    /// Writes down what changed, before it does. Where it can't be, nothing changes.
    let record: @Sendable ([String]) async throws(EpitopeError) -> Void
    /// Takes over those that need no restart.
    let follow: @Sendable (Settings) async -> Void

    /// Runs until the task is cancelled.
    func run() async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            let manager = ServiceManager.current
            manager?.notify(.reloading(monotonicMicroseconds: ServiceManager.monotonicMicroseconds()))
            await reload()
            manager?.notify(.ready)
        }
    }

    private func reload() async {
        guard source.file != nil || source.folder != nil else {
            return logger.notice("there are no settings to read again: none were named (--config)")
        }
        let loaded = LoadedSettings<Settings>(from: source)
        guard let error = SettingsProblem.summary(of: loaded.problems) else { return await take(loaded.settings) }
        for problem in loaded.problems {
            logger.error("the settings were not reloaded, the previous ones stay in force: \(problem.located)")
        }
        health?.failed(.settings, error)
    }

    private func take(_ new: Settings) async {
        let before = current()
        let planned = SettingsChange.between(before, before.takingLive(from: new))
        do {
            if !planned.isEmpty { try await record(planned) }
        } catch {
            logger.error("the settings were not reloaded, the previous ones stay in force, since that could not be written down: \(error)")
            health?.failed(.settings, error)
            return
        }
        await follow(new)
        health?.works(.settings)
        let changes = SettingsChange.between(before, current())
        logger.notice("the settings were reloaded: \(changes.isEmpty ? "nothing changed" : changes.joined(separator: "; "))")
        let waiting = SettingsChange.between(current(), new)
        if !waiting.isEmpty { logger.warning("these settings need a restart: \(waiting.joined(separator: "; "))") }
    }
}

/// What differs between settings.
enum SettingsChange {
    /// Each setting that differs, with both values.
    static func between<Settings: SettingsGroup>(_ old: Settings, _ new: Settings) -> [String] {
        let (before, after) = (values(old), values(new))
        return Set(before.keys).union(after.keys).sorted().compactMap { name in
            let (was, becomes) = (before[name] ?? nil, after[name] ?? nil)
            guard was != becomes else { return nil }
            return "\(name) from \(was ?? "none") to \(becomes ?? "none")"
        }
    }

    private static func values<Settings: SettingsGroup>(_ settings: Settings) -> [String: String?] {
        Dictionary(settings.list().map { ($0.name, $0.value) }) { first, _ in first }
    }
}
