// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import FileAccess
import Foundation
import TestSupport
import Testing

@testable import ProcessContext

/// What is known of a container: by its process's control group, by its annotations, by what its engine wrote down.
@Suite struct ContainerTests {
    private static let id = String(repeating: "0123456789abcdef", count: 4)
    private static let uid = "1f04600d-c695-4359-a68e-ee5fe7c40697"
    private static let underscored = "1f04600d_c695_4359_a68e_ee5fe7c40697"
    private static let fileUID = String(repeating: "0123456789abcdef", count: 2)
    private let folder = OddProcessTableTests.Folder()

    @Test(arguments: [
        // The kubelet's cgroupfs driver: containerd, CRI-O, docker; guaranteed pods have no class of their own.
        "0::/kubepods/burstable/podUID/ID", "0::/kubepods/besteffort/podUID/crio-ID", "4:memory:/kubepods/podUID/ID",
        "1:cpu:/x\n0::/kubepods/podUID", "0::/docker/ID/kubelet/kubepods/besteffort/podUID/ID",
        // Its systemd driver.
        "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUNDER.slice/cri-containerd-ID.scope",
        "0::/kubepods.slice/kubepods-podUNDER.slice/crio-ID.scope", "0::/kubepods.slice/kubepods-podUNDER.slice/docker-ID.scope",
        "0::/kubepods.slice/kubepods-podUNDER.slice/crio-ID.scope/container",
        "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podUNDER.slice/cri-containerd-ID.scope",
        // systemd for the kubelet alone.
        "0::/system.slice/containerd.service/kubepods-burstable-podUNDER.slice:cri-containerd:ID",
        "0::/../../kubepods-podUNDER.slice/cri-containerd-ID.scope",
    ]) func `A pod's identity is found under either driver`(path: String) {
        let cgroup = path.replacing("UNDER", with: Self.underscored).replacing("UID", with: Self.uid).replacing("ID", with: Self.id)
        #expect(PodID.find(in: cgroup) == Self.uid)
        if path.contains("ID.") || path.hasSuffix("ID"), !path.hasSuffix("podUID") { #expect(ContainerID.find(in: cgroup) == Self.id) }
    }

    @Test func `A pod that comes from a file has digits for its identity`() {
        #expect(PodID.find(in: "0::/kubepods/burstable/pod\(Self.fileUID)/\(Self.id)") == Self.fileUID)
        #expect(PodID.find(in: "0::/kubepods.slice/kubepods-burstable-pod\(Self.fileUID).slice/crio-\(Self.id).scope") == Self.fileUID)
    }

    @Test(arguments: [
        "", "0::/", "0::/docker/ID", "0::/system.slice/docker-ID.scope", "0::/machine.slice/machine-libpod_pod_ID.slice/libpod-ID.scope",
        "0::/kubepods/burstable/pod", "0::/kubepods/burstable/podabc", "0::/kubepods/xpodUID", "0::/podUID/ID",
        "0::/kubepods/podUIDx", "0::/kubepods/podUID-1", "garbage kubepods podUID",
    ]) func `No pod's identity is made up`(path: String) {
        let cgroup = path.replacing("UID", with: Self.uid).replacing("ID", with: Self.id)
        #expect(PodID.find(in: cgroup) == nil)
    }

    @Test func `Annotations of every engine are understood`() {
        let containerd = ContainerParameters(annotations: [
            "io.kubernetes.cri.container-name": "web", "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.25",
            "io.kubernetes.cri.sandbox-name": "web-7d4", "io.kubernetes.cri.sandbox-namespace": "shop",
            "io.kubernetes.cri.sandbox-uid": Self.uid, "io.kubernetes.cri.container-type": "container",
        ])
        let pod = ContainerParameters.Pod(uid: Self.uid, name: "web-7d4", namespace: "shop")
        #expect(containerd == ContainerParameters(name: "web", image: "docker.io/library/nginx:1.25", pod: pod))
        let crio = ContainerParameters(annotations: [
            "io.kubernetes.container.name": "web", "io.kubernetes.cri-o.ImageName": "quay.io/crio/redis:alpine",
            "io.kubernetes.cri-o.Image": "98ab35023fd6", "io.kubernetes.pod.name": "web-7d4",
            "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": Self.uid,
            "io.kubernetes.cri-o.Name": "k8s_web_web-7d4_shop_1",
        ])
        #expect(crio == ContainerParameters(name: "web", image: "quay.io/crio/redis:alpine", pod: pod))
        #expect(
            ContainerParameters(annotations: ["org.opencontainers.image.ref.name": "alpine:3"]) == ContainerParameters(image: "alpine:3"))
        #expect(ContainerParameters(annotations: ["io.kubernetes.cri.image-name": "", "other": "x"]).isEmpty)
    }

    @Test func `What engines wrote down is found by the container's id`() throws {
        func found() -> ContainerParameters? { ContainerFiles(root: folder.path).container(Self.id) }
        #expect(found() == nil)
        let task = "run/containerd/io.containerd.runtime.v2.task/k8s.io/\(Self.id)/config.json"
        try folder.write(
            task,
            #"{"annotations":{"io.kubernetes.cri.image-name":"i:1","io.kubernetes.cri.sandbox-name":"p"},"process":{"args":["x"]}}"#)
        #expect(found() == ContainerParameters(image: "i:1", pod: .init(name: "p")))
        try folder.write(
            "run/containers/storage/overlay-containers/\(Self.id)/userdata/config.json",
            #"{"annotations":{"io.kubernetes.cri-o.ImageName":"i:2"}}"#)
        #expect(found()?.image == "i:2")
        try folder.write(
            "var/lib/containers/storage/overlay-containers/containers.json",
            #"[{"id":"other"},{"id":"\#(Self.id)","names":["n"],"metadata":"{\"image-name\":\"i:3\",\"name\":\"sad_bell\"}"}]"#)
        #expect(found()?.image == "i:3" && found()?.name == "sad_bell" && found()?.pod?.name == "p")
        try folder.write(
            "var/lib/docker/containers/\(Self.id)/config.v2.json",
            #"{"Name":"/web","Config":{"Image":"i:4","Labels":{"io.kubernetes.pod.namespace":"shop","org.opencontainers.image.ref.name":"no"}}}"#
        )
        #expect(found()?.image == "i:4" && found()?.name == "web" && found()?.pod?.namespace == "shop")
    }

    @Test func `Links, devices, folders, and files without end in an engine's place are passed over`() throws {
        try folder.write("elsewhere/config.v2.json", #"{"Name":"/web","Config":{"Image":"i:4"}}"#)
        try folder.link("var/lib/docker/containers/\(Self.id)", to: folder.path + "/elsewhere")
        let files = ContainerFiles(root: folder.path)
        #expect(files.container(Self.id) == nil, "a link to a folder elsewhere")
        unlink(folder.path + "/var/lib/docker/containers/\(Self.id)")
        try folder.link("var/lib/docker/containers/\(Self.id)/config.v2.json", to: folder.path + "/elsewhere/config.v2.json")
        #expect(files.container(Self.id) == nil, "a link to a file elsewhere")
        unlink(folder.path + "/var/lib/docker/containers/\(Self.id)/config.v2.json")
        mkfifo(folder.path + "/var/lib/docker/containers/\(Self.id)/config.v2.json", 0o600)
        #expect(files.container(Self.id) == nil, "a pipe")
        unlink(folder.path + "/var/lib/docker/containers/\(Self.id)/config.v2.json")
        let padding = String(repeating: " ", count: ContainerFiles.maxRecordSize)
        try folder.write("var/lib/docker/containers/\(Self.id)/config.v2.json", #"{"Name":"/web","Config":{"Image":"i:4"}}"# + padding)
        #expect(files.container(Self.id) == nil, "too long")
        for name in ["", ".", "..", "a/b"] {
            #expect(throws: FileError.self) {
                try FileContents.whole(in: folder.path + "/elsewhere", [name, "config.v2.json"], maxBytes: 100)
            }
        }
        #expect(throws: FileError.self) { try FileContents.whole(in: folder.path, ["elsewhere"], maxBytes: 100) }
        #expect(try FileContents.whole(in: folder.path + "/elsewhere", ["config.v2.json"], maxBytes: 100).isEmpty == false)
    }

    @Test func `Changed records say nothing or something, and do no harm`() {
        var random = SeededGenerator(seed: 5)
        let records = [
            #"{"annotations":{"io.kubernetes.cri.image-name":"i:1","io.kubernetes.cri.sandbox-name":"p"}}"#,
            #"[{"id":"\#(Self.id)","names":["n"],"metadata":"{\"image-name\":\"i:3\",\"name\":\"sad_bell\"}"}]"#,
            #"{"Name":"/web","Config":{"Image":"i:4","Labels":{"io.kubernetes.pod.namespace":"shop"}}}"#,
        ]
        for record in records {
            for _ in 0..<1500 {
                var bytes = Array(record.utf8)
                for _ in 0..<Int.random(in: 1...5, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                for found in [
                    ContainerRecords.bundle(bytes), ContainerRecords.docker(bytes), ContainerRecords.storage(bytes, id: Self.id),
                ] { #expect(found?.isEmpty != true) }
            }
        }
        let deep = Array(String(repeating: "[", count: 200_000).utf8)
        #expect(ContainerRecords.bundle(deep) == nil && ContainerRecords.storage(deep, id: Self.id) == nil)
    }

    @Test func `A process of a pod is described with all that is known of its container`() async throws {
        try folder.write("7/status", "PPid:\t0\n")
        try folder.write("7/cgroup", "0::/kubepods/burstable/pod\(Self.uid)/\(Self.id)\n")
        try folder.write(
            "root/run/containerd/io.containerd.runtime.v2.task/k8s.io/\(Self.id)/config.json",
            #"{"annotations":{"io.kubernetes.cri.image-name":"i:1","io.kubernetes.cri.sandbox-name":"p"}}"#)
        let host = ProcessContextCollector(hostID: nil, proc: folder.path, containerRoot: folder.path + "/root")
        let seen = host.context(ofProcess: 7, thread: 7)
        #expect(seen.containerID == Self.id)
        #expect(seen.container == ContainerParameters(pod: .init(uid: Self.uid)), "files are left to the slower part")
        let (process, _) = await host.enrich(seen)
        #expect(process.container == ContainerParameters(image: "i:1", pod: .init(uid: Self.uid, name: "p")))
    }

    @Test func `A runtime's word goes before the control group's, and any id is kept`() async throws {
        try folder.write("7/status", "PPid:\t0\n")
        try folder.write("7/cgroup", "0::/kubepods/pod\(Self.uid)/abc\n")
        let host = ProcessContextCollector(hostID: nil, proc: folder.path, containerRoot: folder.path + "/root")
        let reference = ContainerReference(id: Self.id, annotations: ["io.kubernetes.cri.image-name": "i:1"])
        let engines = host.context(ofProcess: 7, thread: 7, in: reference)
        #expect(engines.containerID == Self.id)
        #expect(engines.container == ContainerParameters(image: "i:1", pod: .init(uid: Self.uid)))
        let byHand = host.context(ofProcess: 7, thread: 7, in: ContainerReference(id: "try-1"))
        #expect(byHand.containerID == nil)
        #expect(byHand.container?.name == "try-1")
    }
}
