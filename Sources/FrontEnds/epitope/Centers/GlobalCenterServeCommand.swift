// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterAnalysis
import CenterMonitoring
import CenterStore
import EpitopeModel
import GlobalCenter
import Logging
import NotificationDelivery
import SettingsYAML
import SignatureProving

/// `epitope global-center serve`.
struct GlobalCenterServeCommand: FirstThreadCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Receive packets from sites, correlate them, publish updates.")

    @OptionGroup var stateOptions: CenterStateOptions<GlobalKind>
    @OptionGroup var listenOptions: ListenOptions
    @OptionGroup var keyOptions: KeyOptions
    @OptionGroup var monitoringOptions: MonitoringOptions

    @OptionGroup var settingsOptions: SettingsOptions

    func begin() throws -> @Sendable () async throws -> Void {
        let (configuration, monitoring) = try monitoringOptions.reading("global-center") {
            let configuration = try LoadedSettings<GlobalCenterConfiguration>.required(from: settingsOptions.source).settings
            return (configuration, try monitoringOptions.applied(to: configuration.monitoring))
        }
        let logger = CenterProcess.logger("global-center", monitoring.logFormat)
        CenterProcess.readyResources()
        let lock = try stateOptions.lockForServing()
        let key = try keyOptions.source(for: stateOptions, logging: monitoring.logFormat)
        CenterProcess.shieldKey(
            of: stateOptions, key,
            needed: CenterProcess.readFolders(configuration.proving) + configuration.notifications.folders
                + settingsOptions.folders(besides: stateOptions.keyDirectory),
            logger: logger)
        return {
            try await serve(configuration, monitoring, keySocket: key.socket, logger: logger)
            withExtendedLifetime(lock) {}
        }
    }

    private func serve(
        _ configuration: GlobalCenterConfiguration, _ monitoring: MonitoringSettings, keySocket: String, logger: Logger
    ) async throws {
        let store = try await stateOptions.openStoreForServing(configuration.analysis, logger: logger)
        await store.prepare()
        await CenterProcess.recordStart(in: store, configuration, logger: logger)
        let provers = try CenterProcess.provers(configuration.proving, logger: logger)
        let service = GlobalCenterService(configuration: configuration, store: store, provers: provers, logger: logger)
        let reloading = Task {
            await SettingsReloader(
                source: settingsOptions.source, current: { service.configuration }, health: service.health, logger: logger,
                record: { changes throws(EpitopeError) in try await store.recordSettings(changes) },
                follow: { await service.follow($0) }
            ).run()
        }
        defer { reloading.cancel() }
        var subject = CenterMonitor.Subject(
            kind: GlobalKind.name, store: store, health: service.health, proofTime: configuration.proving.maxProofTime)
        subject.expectsStandby = configuration.analysis.store?.synchronousStandby ?? false
        try await CenterProcess.run(
            stateOptions, listen: listenOptions, keySocket: keySocket, service: service, ledger: store, clock: store.clock,
            relays: configuration.relays, watched: (monitoring, subject), logger: logger)
    }
}
