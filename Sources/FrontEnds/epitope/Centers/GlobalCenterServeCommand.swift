// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import GlobalCenter
import Logging

/// `epitope global-center serve`.
struct GlobalCenterServeCommand: FirstThreadCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Receive packets from sites, correlate them, publish updates.")

    @OptionGroup var stateOptions: CenterStateOptions<GlobalKind>
    @OptionGroup var listenOptions: ListenOptions
    @OptionGroup var keyOptions: KeyOptions

    @Option(help: ArgumentHelp("The settings, a JSON file.", valueName: "file"))
    var config: String?

    func begin() throws -> @Sendable () async throws -> Void {
        let configuration = try config.map(GlobalCenterConfiguration.load(path:)) ?? GlobalCenterConfiguration()
        let logger = CenterProcess.logger("global-center")
        CenterProcess.raiseFileLimit()
        let lock = try stateOptions.lockForServing()
        let key = try keyOptions.source(for: stateOptions)
        CenterProcess.shieldKey(of: stateOptions, key, needed: CenterProcess.readFolders(configuration.proving), logger: logger)
        return {
            try await serve(configuration, keySocket: key.socket, logger: logger)
            withExtendedLifetime(lock) {}
        }
    }

    private func serve(_ configuration: GlobalCenterConfiguration, keySocket: String, logger: Logger) async throws {
        let store = try await stateOptions.openStoreForServing(logger: logger)
        await store.prepare()
        let provers = try CenterProcess.provers(configuration.proving, logger: logger)
        try await CenterProcess.run(
            stateOptions, listen: listenOptions, keySocket: keySocket,
            service: GlobalCenterService(configuration: configuration, store: store, provers: provers, logger: logger), ledger: store,
            clock: store.clock, logger: logger)
    }
}
