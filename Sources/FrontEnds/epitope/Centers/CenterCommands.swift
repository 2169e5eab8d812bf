// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `epitope local-center`.
struct LocalCenterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: LocalKind.name,
        abstract: "The local analysis center: correlates a site's evidence, updates its IDS, reports to the global center.",
        subcommands: [
            CenterInitCommand<LocalKind>.self, CenterTokenCommand<LocalKind>.self, LocalCenterServeCommand.self,
            LocalCenterCheckCommand.self, CenterKeyCommand<LocalKind>.self,
            LocalCenterLinkCommand.self, PeerWithCommand.self, PeerWithoutCommand.self, CenterStatusCommand<LocalKind>.self,
            CenterEventsCommand<LocalKind>.self, CenterNotifyCommand<LocalKind>.self, CenterAuditCommand<LocalKind>.self,
            CenterShowCommand<LocalKind>.self, CenterWithdrawCommand<LocalKind>.self,
            CenterReinstateCommand<LocalKind>.self, LocalCenterUpdatesCommand.self, LocalCenterApproveCommand.self,
            LocalCenterRejectCommand.self, LocalCenterPinCommand.self, LocalCenterUnpinCommand.self, LocalCenterLifetimeCommand.self,
            LocalCenterAllowCommand.self, LocalCenterAllowedCommand.self, LocalCenterSimulateCommand.self,
            CenterPeersCommand<LocalKind>.self, CenterRevokeCommand<LocalKind>.self,
            CenterTokensCommand<LocalKind>.self,
            LocalCenterAgentsCommand.self, CenterRotateCommand<LocalKind>.self,
            CenterRenewCommand<LocalKind>.self, CenterBackupCommand<LocalKind>.self, CenterRestoreCommand<LocalKind>.self,
            CenterMoveStoreCommand<LocalKind>.self,
        ])
}

/// `epitope global-center`.
struct GlobalCenterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: GlobalKind.name,
        abstract: "The global analysis center: correlates the evidence of sites, and publishes signature updates to them.",
        subcommands: [
            CenterInitCommand<GlobalKind>.self, CenterTokenCommand<GlobalKind>.self, GlobalCenterServeCommand.self,
            GlobalCenterCheckCommand.self, CenterKeyCommand<GlobalKind>.self,
            CenterStatusCommand<GlobalKind>.self, CenterEventsCommand<GlobalKind>.self, CenterNotifyCommand<GlobalKind>.self,
            CenterAuditCommand<GlobalKind>.self,
            CenterShowCommand<GlobalKind>.self, CenterWithdrawCommand<GlobalKind>.self,
            CenterReinstateCommand<GlobalKind>.self, CenterPeersCommand<GlobalKind>.self, GlobalCenterTrustCommand.self,
            CenterRevokeCommand<GlobalKind>.self, CenterTokensCommand<GlobalKind>.self,
            CenterRotateCommand<GlobalKind>.self, CenterRenewCommand<GlobalKind>.self, CenterBackupCommand<GlobalKind>.self,
            CenterRestoreCommand<GlobalKind>.self, CenterMoveStoreCommand<GlobalKind>.self,
        ])
}
