import cn.bif.model.request.BIFTransactionCacheRequest;
import cn.bif.model.request.BIFTransactionSerializeRequest;
import cn.bif.model.request.BIFTransactionSubmitRequest;
import cn.bif.model.request.operation.BIFAccountSetMetadataOperation;
import cn.bif.model.request.operation.BIFBaseOperation;
import cn.bif.model.response.BIFTransactionSerializeResponse;
import cn.bif.model.response.BIFTransactionSubmitResponse;
import cn.bif.module.blockchain.BIFTransactionService;
import cn.bif.module.encryption.key.PrivateKeyManager;
import cn.bif.utils.hex.HexFormat;

/** Transactions that are serialised and signed apart from the node, then submitted. */
final class Offline {
    private static final String NO_TRANSACTION = "ff";
    private static final String HALF_OCTET = "0";

    private Offline() {}

    static void run(Session session) throws Exception {
        BIFTransactionService service = session.sdk.getBIFTransactionService();
        String blob = serialize(session, "serialize", session.sender, 1, payment(session));
        session.say("parse", service.parseBlob(blob));
        session.say("parse-garbage", service.parseBlob(NO_TRANSACTION));
        nonces(session);
        weights(session);
        broken(session, blob);
    }

    /** A gap waits in the pool until the transaction before it comes. */
    private static void nonces(Session session) throws Exception {
        BIFTransactionService service = session.sdk.getBIFTransactionService();
        long next = session.nonce(session.sender.address) + 1;
        String later = serialize(session, "gap:blob", session.sender, next + 1, payment(session));
        String first = serialize(session, "next:blob", session.sender, next, payment(session));
        String late = submit(session, "gap", later, session.sender);
        session.say("gap:waiting", session.info(late));
        session.say("pool-size", service.getTxCacheSize(session.domain));
        session.say("pool-size-default", service.getTxCacheSize());
        BIFTransactionCacheRequest request = new BIFTransactionCacheRequest();
        request.setDomainId(session.domain);
        session.say("pool", service.getTxCacheData(request));
        request.setHash(late);
        session.say("pool-one", service.getTxCacheData(request));
        submit(session, "gap-again", later, session.sender);
        session.confirm("next", submit(session, "next", first, session.sender));
        session.confirm("gap", late);
        session.say("pool-after", service.getTxCacheData(request));
        session.say("pool-size-after", service.getTxCacheSize(session.domain));
        String old = serialize(session, "old:blob", session.sender, next, payment(session));
        submit(session, "old", old, session.sender);
    }

    /** The account `first` wants weight 3 for metadata: its own 2 and SM2's 1. */
    private static void weights(Session session) throws Exception {
        BIFAccountSetMetadataOperation operation = new BIFAccountSetMetadataOperation();
        operation.setKey("signed");
        operation.setValue("twice");
        long next = session.nonce(session.first.address) + 1;
        String blob = serialize(session, "twice:blob", session.first, next, operation);
        submit(session, "signed-once", blob, session.first);
        submit(session, "signed-by-others", blob, session.sm2, session.third);
        String hash = submit(session, "twice", blob, session.first, session.sm2);
        session.confirm("twice", hash);
    }

    private static void broken(Session session, String blob) throws Exception {
        submit(session, "blob-garbage", NO_TRANSACTION, session.sender);
        submit(session, "blob-half", HALF_OCTET, session.sender);
        BIFTransactionSubmitRequest request = new BIFTransactionSubmitRequest();
        request.setSerialization(blob);
        session.say("unsigned", session.sdk.getBIFTransactionService().BIFSubmit(request));
        long next = session.nonce(session.sender.address) + 1;
        String fresh = serialize(session, "fresh:blob", session.sender, next, payment(session));
        request.setSerialization(fresh);
        request.addSignature("b06566", "00".repeat(64));
        session.say("bad-public-key", session.sdk.getBIFTransactionService().BIFSubmit(request));
        request = new BIFTransactionSubmitRequest();
        request.setSerialization(fresh);
        String publicKey = PrivateKeyManager.getEncPublicKey(session.sender.privateKey);
        request.addSignature(publicKey, "00".repeat(64));
        session.say("bad-signature", session.sdk.getBIFTransactionService().BIFSubmit(request));
        request = new BIFTransactionSubmitRequest();
        request.setSerialization(fresh);
        request.addSignature(publicKey, "zz");
        session.say("signature-not-hex", session.sdk.getBIFTransactionService().BIFSubmit(request));
    }

    private static BIFBaseOperation payment(Session session) {
        return Transactions.payment(session.second.address, 7L);
    }

    private static String serialize(
            Session session,
            String step,
            Session.Account from,
            long nonce,
            BIFBaseOperation operation)
            throws Exception {
        BIFTransactionSerializeRequest request = new BIFTransactionSerializeRequest();
        request.setSourceAddress(from.address);
        request.setNonce(nonce);
        request.setFeeLimit(1_000_000L);
        request.setGasPrice(100L);
        request.setMetadata("离线");
        request.setDomainId(session.domain);
        request.setOperation(operation);
        BIFTransactionSerializeResponse answer =
                session.sdk.getBIFTransactionService().BIFSerializable(request);
        session.say(step, answer);
        return answer.getResult().getTransactionBlob();
    }

    /** Submits a blob with the signature of each account; gives the hash, if there is one. */
    private static String submit(
            Session session, String step, String blob, Session.Account... signers)
            throws Exception {
        BIFTransactionSubmitRequest request = new BIFTransactionSubmitRequest();
        request.setSerialization(blob);
        for (Session.Account signer : signers) {
            byte[] message = blob.length() % 2 == 0 ? HexFormat.hexToByte(blob) : new byte[0];
            byte[] signature = Keys.sign(message, signer.privateKey);
            request.addSignature(
                    PrivateKeyManager.getEncPublicKey(signer.privateKey),
                    HexFormat.byteToHex(signature));
        }
        BIFTransactionSubmitResponse answer =
                session.sdk.getBIFTransactionService().BIFSubmit(request);
        session.say(step, answer);
        return answer.getResult().getHash();
    }
}
