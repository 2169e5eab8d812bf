// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProcessContext
import Scheduling
import Signatures

/// What a packet carries of a detection's code.
struct PacketForm: Hashable, Sendable {
    /// The size of the signature that goes in the code's place; `nil`: the code goes.
    var signatureBytes: Int?
    /// The window, a part of the code, that is the signature where one goes; `nil`: the caller window.
    var window: ArraySlice<UInt8>?
    /// What is left to the center.
    var extraction: ExtractionRequest?
    /// Why it is left to the center, where nobody asked for that.
    var leftToCenter: String?
    /// The caller window goes, although what is unique was asked for.
    var isSecondBest = false
}

/// Decides about the form of each packet, by what this host was told to send and what it is able to find out.
struct PacketFormChoice: Sendable {
    private let settings: HostPipelineSettings
    private let hasLinkBudget: Bool
    private let choice: HostSignatureChoice
    /// The images of processes are read here, not on the threads that Swift's tasks share.
    private let queue = BlockingQueue(label: "epitope.host-signature")
    /// They may be on a file system that never answers.
    private let bounded = BoundedWork()

    /// - Parameter hasLinkBudget: packets may have to go as signatures, although code was asked for.
    init(_ settings: HostPipelineSettings, hasLinkBudget: Bool, absentWindows: AbsentWindows?) {
        self.settings = settings
        self.hasLinkBudget = hasLinkBudget
        choice = HostSignatureChoice(absentWindows: absentWindows)
    }

    /// - Parameter images: of the detection's process; `nil`: they can't be read.
    func choose(for detection: Detection, images: ProcessImages?) async -> PacketForm {
        let request = ExtractionRequest(
            signature: settings.extractsSignature ? settings.signature : nil, signatureBytes: settings.signatureBytes)
        guard settings.extractAt != .center else { return PacketForm(extraction: request) }
        var form = PacketForm(signatureBytes: settings.extractsSignature ? settings.signatureBytes : nil)
        guard settings.signature == .unique, settings.extractsSignature || hasLinkBudget else { return form }
        switch await outcome(detection, images) {
        case .window(let window): form.window = window
        case .nothingUnique: form.isSecondBest = settings.extractsSignature
        case .unknowable where settings.extractsSignature && settings.extractAt == .auto:
            let reason = "it can't be known here what is unique: the images of its process, or the goodware index, could not be read"
            return PacketForm(extraction: request, leftToCenter: reason)
        case .unknowable: form.isSecondBest = settings.extractsSignature
        }
        return form
    }

    private func outcome(_ detection: Detection, _ images: ProcessImages?) async -> HostSignatureChoice.Outcome {
        let (choice, bounded, length) = (choice, bounded, settings.signatureBytes)
        return await queue.run {
            bounded.run(withinSeconds: ProcessImages.maxSeconds) {
                choice.choose(from: detection.code, callersAddress: detection.callersAddress, length: length, images: images)
            } ?? .unknowable
        }
    }
}
