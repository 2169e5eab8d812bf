// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
public import Notifications
import SettingsFiles

/// What a person can find out about destinations without a center that runs.
extension NotificationSettings {
    /// Sends a test message to a destination, once.
    ///
    /// - Returns: what came back, in one line.
    /// - Throws: `destination-unknown`, or why it could not be told.
    public func sendTest(to name: String, from sender: NoticeSender) async throws(EpitopeError) -> String {
        guard let destination = destinations.groups[name] else {
            let known = destinations.names.isEmpty ? "the settings name none" : "use one of: \(destinations.names.joined(separator: ", "))"
            throw EpitopeError(
                .destinationUnknown, "there is no destination '\(name.prefix(80))' of notices in the settings",
                remedy: "\(known); give the settings that the center runs with (--config)")
        }
        let event = NotifiedEvent(
            sequence: 0, timeMilliseconds: Int64(Date().timeIntervalSince1970 * 1000), kind: .test, subject: name,
            detail: "a person asked for this message, to see whether it arrives")
        let transport = try destination.transport(from: sender)
        let result: Result<DeliveryOutcome, EpitopeError>
        do throws(EpitopeError) {
            result = .success(try await transport.send([Notice(id: "evt_\(UUID().uuidString.lowercased())", event: event)]))
        } catch {
            result = .failure(error)
        }
        await transport.close()
        let outcome = try result.get()
        if let refusal = outcome.refusal { throw refusal }
        return outcome.answer
    }

    /// What is wrong with the files of secrets and authorities: each problem names its destination. Nothing is sent.
    public func problems() -> [EpitopeError] {
        destinations.names.flatMap { name -> [EpitopeError] in
            guard let destination = destinations.groups[name] else { return [] }
            return destination.fileProblems().map {
                EpitopeError($0.code, "the destination '\(name)' of notices: \($0.message)", remedy: $0.remedy)
            }
        }
    }
}

extension DestinationSettings {
    fileprivate func fileProblems() -> [EpitopeError] {
        var problems: [EpitopeError] = []
        func look(_ check: () throws(EpitopeError) -> Void) {
            do throws(EpitopeError) { try check() } catch { problems.append(error) }
        }
        for path in [urlFile, tokenFile, passwordFile].compactMap(\.self) {
            look { () throws(EpitopeError) in _ = try SecretFile(path: path).line() }
        }
        if let secretFile {
            look { () throws(EpitopeError) in
                let file = SecretFile(path: secretFile)
                guard WebhookSignature(secret: try file.bytes()) != nil else {
                    throw file.refusal(
                        "holds no key of a signature",
                        "make one: printf 'whsec_%s\\n' \"$(head -c 32 /dev/urandom | base64)\" > \(secretFile)")
                }
            }
        }
        if authorityFile != nil { look { () throws(EpitopeError) in _ = try TLSTrust.configuration(authorityFile) } }
        return problems
    }
}
