import cn.bif.module.encryption.key.PrivateKeyManager;
import cn.bif.module.encryption.key.PublicKeyManager;
import cn.bif.module.encryption.model.KeyType;
import cn.bif.utils.hex.HexFormat;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** Keys, addresses and signatures, which need no node. */
final class Keys {
    private static final byte[] MESSAGE = "武汉".getBytes(StandardCharsets.UTF_8);

    private Keys() {}

    static void run(Session session) throws Exception {
        session.say("key-ed25519", describe(new PrivateKeyManager(session.sender.privateKey)));
        session.say("key-sm2", describe(new PrivateKeyManager(session.sm2.privateKey)));
        session.say("key-made-ed25519", describe(new PrivateKeyManager(KeyType.ED25519)));
        session.say("key-made-sm2", describe(new PrivateKeyManager(KeyType.SM2)));
        session.say("address-valid", PublicKeyManager.isAddressValid(session.sender.address));
        session.say("address-invalid", PublicKeyManager.isAddressValid(session.sender.address + "1"));
        session.say("addresses", addresses(session));
    }

    private static Map<String, Object> describe(PrivateKeyManager key) throws Exception {
        byte[] signature = key.sign(MESSAGE);
        String publicKey = key.getEncPublicKey();
        Map<String, Object> said = new LinkedHashMap<>();
        said.put("private", key.getEncPrivateKey());
        said.put("public", publicKey);
        said.put("address", PrivateKeyManager.getEncAddress(publicKey));
        said.put("subAddress", PrivateKeyManager.getEncAddress(publicKey, "hany"));
        said.put("signature", HexFormat.byteToHex(signature));
        said.put("verified", PublicKeyManager.verify(MESSAGE, signature, publicKey));
        return said;
    }

    private static Map<String, String> addresses(Session session) {
        Map<String, String> said = new LinkedHashMap<>();
        said.put("sender", session.sender.address);
        said.put("sm2", session.sm2.address);
        said.put("first", session.first.address);
        said.put("second", session.second.address);
        said.put("third", session.third.address);
        return said;
    }
}
