// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterMonitoring
import EpitopeModel
import GlobalCenter
import LocalCenter
import NotificationDelivery
import SecureChannel
import SettingsFiles
import SettingsYAML
import SuricataDelivery

private let checkDiscussion = """
    It reads the settings as serve would, prints each with the file and line that it is from, and looks at what a start looks at: rights, \
    certificates, the goodware index, captures, ports. Nothing is changed. Give it the options that serve gets, and run it as the user that \
    serves. Exit status 1: there is a problem.
    """

/// `epitope local-center check`.
struct LocalCenterCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check the settings, and what else a start needs, without starting.", discussion: checkDiscussion)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var listenOptions: ListenOptions
    @OptionGroup var keyOptions: KeyOptions
    @OptionGroup var monitoringOptions: MonitoringOptions
    @OptionGroup var settingsOptions: SettingsOptions
    @OptionGroup var suricataOptions: SuricataOptions

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let loaded = LoadedSettings<LocalCenterConfiguration>(from: settingsOptions.source)
        var check = StartCheck(stateOptions)
        check.add(loaded.problems)
        check.lookAtFiles(of: loaded.contents)
        let monitoring = monitoringOptions.checked(loaded.settings.monitoring, &check)
        await check.lookAtState(keyOptions, loaded.settings.analysis)
        check.lookAtNames(told: loaded.settings.centers)
        check.lookAtMaterial(loaded.settings.proving)
        check.lookAtNotifications(loaded.settings.notifications)
        lookAtLink(loaded.settings, &check)
        await lookAtSuricata(loaded.settings, &check)
        check.lookAtPorts(listenOptions, metrics: monitoring)
        try CheckReport(
            files: loaded.contents.files, settings: loaded.list, overridden: suricataOptions.overridden + monitoringOptions.overridden,
            seen: check.seen, findings: check.findings
        ).print(json: json)
    }

    private func lookAtLink(_ configuration: LocalCenterConfiguration, _ check: inout StartCheck<LocalKind>) {
        let folder = SuricataOptions.absolute(configuration.globalCenterState ?? stateOptions.globalDirectory)
        // Told with the state, where there is none.
        guard check.authorities != nil, let identity = check.trying({ try StoredIdentity.loadIfEnrolled(from: folder) }) else { return }
        guard let identity else {
            if configuration.globalCenterState != nil {
                check.add(
                    .problem,
                    EpitopeError(
                        .identityMissing, "the folder \(folder) (globalCenterState) has no identity at a global center",
                        remedy: "enrol this site with `epitope local-center link`, or leave globalCenterState out"))
            }
            return check.note("global center", "not linked")
        }
        check.note("global center", "\(identity.centers), as site \(identity.subject.name)")
        if let warning = identity.outlook().warning(of: "this site's certificate at the global center") {
            check.add(.warning, EpitopeError(.certificateExpired, warning, remedy: "see `epitope local-center status`"))
        }
    }

    private func lookAtSuricata(_ configuration: LocalCenterConfiguration, _ check: inout StartCheck<LocalKind>) async {
        guard let settings = suricataOptions.applied(to: configuration, of: check.authorities) else {
            return check.note("Suricata", "none is configured: updates wait in the store")
        }
        let delivery = SuricataDelivery(settings)
        let problems = await delivery.problems()
        for problem in problems { check.add(.problem, problem) }
        do throws(EpitopeError) {
            try await delivery.prepare()
        } catch {
            // Told already, where it is away.
            if !problems.contains(where: { $0.code == error.code }) { check.add(.problem, error) }
            return
        }
        check.note("Suricata", "\(settings.binaryPath) takes rules as Epitope writes them, for \(settings.rulesFile)")
    }
}

/// `epitope global-center check`.
struct GlobalCenterCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check the settings, and what else a start needs, without starting.", discussion: checkDiscussion)

    @OptionGroup var stateOptions: CenterStateOptions<GlobalKind>
    @OptionGroup var listenOptions: ListenOptions
    @OptionGroup var keyOptions: KeyOptions
    @OptionGroup var monitoringOptions: MonitoringOptions
    @OptionGroup var settingsOptions: SettingsOptions

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let loaded = LoadedSettings<GlobalCenterConfiguration>(from: settingsOptions.source)
        var check = StartCheck(stateOptions)
        check.add(loaded.problems)
        check.lookAtFiles(of: loaded.contents)
        let monitoring = monitoringOptions.checked(loaded.settings.monitoring, &check)
        await check.lookAtState(keyOptions, loaded.settings.analysis)
        check.lookAtNames(told: loaded.settings.centers)
        check.lookAtMaterial(loaded.settings.proving)
        check.lookAtNotifications(loaded.settings.notifications)
        check.lookAtPorts(listenOptions, metrics: monitoring)
        try CheckReport(
            files: loaded.contents.files, settings: loaded.list, overridden: monitoringOptions.overridden, seen: check.seen,
            findings: check.findings
        ).print(json: json)
    }
}

extension StartCheck {
    /// Whether the secrets of notices' receivers can be read, and by nobody else. Nothing is sent: that is `notify test`.
    mutating func lookAtNotifications(_ settings: NotificationSettings) {
        guard !settings.destinations.names.isEmpty else { return note("notices", "nobody is told: no destination is named") }
        note("notices", "\(settings.destinations.names.joined(separator: ", ")); rules: \(settings.rules.names.joined(separator: ", "))")
        // A center starts without them, and tells once they are mended.
        for problem in settings.problems() { add(.problem, problem) }
        let told = settings.rules.groups.values.reduce(into: Set<String>()) { $0.formUnion($1.to) }
        for name in settings.destinations.names where !told.contains(name) {
            add(
                .warning,
                EpitopeError(
                    .configurationInvalid, "no rule tells the destination '\(name)' of notices anything",
                    remedy: "name it in a rule: notifications.rules.NAME.to"))
        }
    }
}

extension MonitoringOptions {
    /// Where metrics are asked for, with what was given here. What is wrong with the settings themselves was told with their file.
    func checked<Kind: CenterKind>(_ settings: MonitoringSettings, _ check: inout StartCheck<Kind>) -> MonitoringAddress? {
        do { return try applied(to: settings).address() } catch let error as EpitopeError {
            if metrics != nil || settings.faults.isEmpty { check.add(.problem, error) }
        } catch {}
        return nil
    }

    /// The settings that options override, for a person.
    var overridden: [String] {
        [
            metrics.map { "metrics: \($0)" }, metricsBeyondLoopback ? "metricsBeyondLoopback: true" : nil,
            logOptions.logFormat.map { "logFormat: \($0.rawValue)" },
        ].compactMap(\.self)
    }
}
