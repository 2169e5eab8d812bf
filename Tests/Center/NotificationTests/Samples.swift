// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NotificationDelivery
import Notifications
import SettingsFiles
import SettingsYAML
import Signatures

/// The same notice in every format.
enum Sample {
    static let sender = NoticeSender(center: "local-center", host: "center-1.example", version: "1.2.3")

    /// What others would write to get out of a format.
    static let nasty =
        #"proc|name=x "y" ]} \ & <script> <!channel> @all `code` %n ${jndi:ldap} é 🦠"# + "\r\nBcc: victim@example.org\u{202E}\u{0}"

    static let single = Notice(
        id: "evt_00000000-0000-4000-8000-000000000001",
        event: NotifiedEvent(
            sequence: 4711, timeMilliseconds: 1_796_139_360_123, kind: .delivered, subject: "0f".repeated(32), detail: nasty,
            grade: .corroborated, sid: 1_000_007, hosts: ["web-1", nasty],
            addresses: [IPAddress("192.0.2.7")!, IPAddress("2001:db8::7")!]))

    /// Of repeats.
    static let grouped: Notice = {
        func event(_ number: Int64) -> NotifiedEvent {
            NotifiedEvent(
                sequence: number, timeMilliseconds: 1_796_139_360_000 + number * 1000, kind: .unproven, subject: "signature-\(number)",
                detail: "shell-1: in the goodware")
        }
        var notice = Notice(id: "evt_00000000-0000-4000-8000-000000000002", event: event(1))
        for number in Int64(2)...12 { notice.add(event(number)) }
        return notice
    }()
}

extension String {
    func repeated(_ count: Int) -> String { String(repeating: self, count: count) }
}

/// Settings of notices from YAML.
func notificationSettings(_ yaml: String) throws -> (settings: NotificationSettings, problems: [SettingsProblem]) {
    NotificationSettings.read(from: try SettingsSource.node(of: Array(yaml.utf8), path: "notices.yaml"))
}
