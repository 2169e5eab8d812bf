// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import GlobalCenter

/// `epitope global-center serve`.
struct GlobalCenterServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Receive packets from sites, correlate them, publish updates.")

    @OptionGroup var stateOptions: CenterStateOptions<GlobalKind>
    @OptionGroup var listenOptions: ListenOptions

    @Option(help: ArgumentHelp("The settings, a JSON file.", valueName: "file"))
    var config: String?

    func run() async throws {
        let configuration = try config.map(GlobalCenterConfiguration.load(path:)) ?? GlobalCenterConfiguration()
        let logger = CenterProcess.logger("global-center")
        CenterProcess.raiseFileLimit()
        let lock = try stateOptions.lockForServing()
        defer { withExtendedLifetime(lock) {} }
        let store = try await stateOptions.openStoreForServing(logger: logger)
        await store.prepare()
        let provers = try CenterProcess.provers(configuration.proving, logger: logger)
        try await CenterProcess.run(
            stateOptions, listen: listenOptions,
            service: GlobalCenterService(configuration: configuration, store: store, provers: provers, logger: logger), ledger: store,
            clock: store.clock, logger: logger)
    }
}
